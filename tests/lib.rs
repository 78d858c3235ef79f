//! This package has only tests; see `it/`.
