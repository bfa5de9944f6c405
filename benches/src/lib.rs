//! What the side-by-side runs share: timing, the result file and its table.
