//! The contract, tested. A file a route; what they share is in `app` (the API in this process), `lambda` (a Lambda
//! Runtime API for the real binaries) and `binaries` (building those).

mod app;
mod binaries;
mod lambda;
mod send_client_event;
