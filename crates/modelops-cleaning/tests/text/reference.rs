//! Values from elsewhere, or worked by hand.

mod near;
mod quality;
mod repair;
