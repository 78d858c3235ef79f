//! One module for each function, named after it.

mod explain_activity;
mod get_activity;
mod get_balances;
mod get_player;
mod issue_token;
mod list_activities;
mod open_session;
mod send_activity;
mod send_client_event;
mod start_session;
mod track_event;
