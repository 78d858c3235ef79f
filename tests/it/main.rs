//! The contract, tested. A file a route, and `access`: who is let in, for all of them. What they share is in `app` (the
//! API in this process), `description` (every answer of it held against `openapi.json`), `proxy` (a store that fails),
//! `lambda` (a Lambda Runtime API for the real binaries), `binaries` (building those), `logs` (looking through what they
//! log), `activities` and `players` (sending those).

mod access;
mod activities;
mod app;
mod binaries;
mod capacity;
mod clients;
mod connections;
mod description;
mod drift;
mod functions;
mod get_activity;
mod get_balances;
mod get_player;
mod issue_token;
mod kill;
mod lambda;
mod links;
mod load;
mod logs;
mod open_session;
mod openapi;
mod operator;
mod overload;
mod players;
mod proxy;
mod send_activity;
mod send_activity_keyed;
mod send_activity_parallel;
mod send_client_event;
mod serve;
mod start_session;
mod track_event;
mod unknown_outcome;
mod warm;
