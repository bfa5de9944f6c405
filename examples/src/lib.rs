//! Nothing here: the examples are the package.
