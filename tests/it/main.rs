//! Tests of the contract, over real HTTP.
//!
//! * `routes`: one module for each function.
//! * `access`: authentication and authorisation of all routes.
//! * `functions`: the Lambda binaries: events, metrics, permissions, consumed capacity.
//! * `serve` and `operator`: `punchcard serve` and the operator's commands.
//! * `faults`: failures of the store and of processes.
//! * `console`: the pages of the console, over HTTP.
//! * `clients`: the requests of published clients.
//! * `drift`: `template.yaml`, `openapi.json` and the documents against the code.
//! * `load`: the figures of the benchmark that do not depend on the machine.
//! * `support`: shared code. It checks each response against `openapi.json` and each log line for secrets.

mod access;
mod clients;
mod console;
mod drift;
mod faults;
mod functions;
mod load;
mod operator;
mod routes;
mod serve;
mod support;
