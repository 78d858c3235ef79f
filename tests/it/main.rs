//! The contract, tested. A file a route; what they share is in `app` (the API in this process), `proxy` (a store that
//! fails), `lambda` (a Lambda Runtime API for the real binaries) and `binaries` (building those).

mod app;
mod binaries;
mod drift;
mod functions;
mod lambda;
mod proxy;
mod send_client_event;
mod serve;
mod start_session;
