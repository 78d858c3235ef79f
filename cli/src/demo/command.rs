//! `punchcard demo`.

use clap::{Args, Subcommand, ValueEnum};
use punchcard_models::{fault::Faults, json};

use crate::{
    api::{Api, ApiUrl, NoToken, Secrets},
    failure::Failure,
    output::{printable, say},
    samples::Sample,
    sender::send,
};

/// The address of `serve` unless it is given another one.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// Send sample requests to `punchcard serve --demo`
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one sample request, and print it with its response
    #[command(after_help = "Examples:\n  punchcard demo send activity\n  punchcard demo send event\n  \
        punchcard demo send order --url http://127.0.0.1:8080\n\n\
        The server must be `punchcard serve --demo`, because the request has the demo's credentials. Send one twice to see \
        how its API treats a repetition. The exit status is 0 if the server answered, whatever its answer. The console's \
        \"Try it\" has more requests, and lets you change them.")]
    Send {
        /// The request
        what: What,
        /// Address of the server
        #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
        url: ApiUrl,
    },
}

/// A sample request of each API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Activities: an app was downloaded
    Activity,
    /// Client events: an offer was activated
    Event,
    /// Player events: an order was placed
    Order,
}

/// The sample requests, in the order of the help.
pub(crate) const WHATS: [What; 3] = [What::Activity, What::Event, What::Order];

impl What {
    /// Returns the name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Activity => "activity",
            What::Event => "event",
            What::Order => "order",
        }
    }

    fn sample(self) -> &'static Sample {
        Sample::named(match self {
            What::Activity => "send-activity.happy",
            What::Event => "send-client-event.happy",
            What::Order => "place-order.happy",
        })
    }
}

/// Runs the command.
///
/// # Errors
/// The server did not answer, or does not know the demo's credentials.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Command::Send { what, url } = options.command;
    let (sample, server) = (what.sample(), Api::at(url.clone()));
    let request = sample.request();
    say!("{} {url}{}", request.method, request.path);
    print(&request.body);
    let received = match send(&server, &request, sample.credential, &Secrets::of_demo()).await {
        Ok(received) => received,
        Err(NoToken::Refused(answer)) => return Err(Failure::NotTheDemo(url.to_string(), answer.status.as_u16())),
        Err(NoToken::Unanswered(error)) => return Err(Failure::NoAnswer(url.to_string(), error)),
    };
    if received.status.as_u16() == 401 {
        return Err(Failure::NotTheDemo(url.to_string(), 401));
    }
    say!("\n{}, after {:.1} ms", received.status, received.took.as_secs_f64() * 1000.0);
    for (name, value) in &received.headers {
        say!("{name}: {}", printable(value));
    }
    print(&received.body);
    Ok(())
}

/// Prints a body, with line breaks if it is JSON.
fn print(body: &str) {
    let json = json::read(body.as_bytes(), &Faults::default());
    let text = json.map_or_else(|| body.to_owned(), |value| format!("{value:#}"));
    for line in text.lines() {
        say!("{}", printable(line));
    }
}
