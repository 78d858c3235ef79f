//! One module for each function, named after it.

mod adjust_balance;
mod explain_activity;
mod get_activity;
mod get_balances;
mod get_player;
mod get_player_balance;
mod issue_token;
mod list_activities;
mod open_session;
mod place_order;
mod preview_rewards;
mod refund_order;
mod save_player;
mod send_activity;
mod send_client_event;
mod start_session;
mod track_event;
mod void_activity;
