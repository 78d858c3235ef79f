//! The floor: a runtime that answers a constant.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Serialize, de::IgnoredAny};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    body: &'static str,
}

fn main() -> Result<(), Error> {
    let answer = |_: LambdaEvent<IgnoredAny>| async { Ok::<_, Error>(Answer { status_code: 200, body: "{}" }) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(answer)))
}
