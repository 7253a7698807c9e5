//! Binds `gates`.
