//! Laws of the text half.

mod near;
