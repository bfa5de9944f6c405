//! Laws of the text half.

mod decontaminate;
mod near;
mod quality;
mod repair;
mod simhash;
