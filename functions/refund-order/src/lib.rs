//! `POST /api/v4.0/integrations/transactions/refund`: refunds an order, in whole or in part. Takes back the same share of
//! what the order earned, and gives back the limits it used, all in one write.

use lambda_http::http::StatusCode;
use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{
    decimal::Decimal,
    fault::Faults,
    ids,
    json::{self, Value},
    refund::Refund,
};
use punchcard_runtime::{Admission, Failure, Handler, correction, mode};
use punchcard_store::{NewRefund, RefundRecorded, RefundWriter, RulesReader, Store};

/// Refunds orders.
#[derive(Debug)]
pub struct RefundOrder {
    admission: Admission,
    rules: RulesReader,
    refunds: RefundWriter,
}

impl Handler for RefundOrder {
    const ROUTE: &'static Route = &route::REFUND_ORDER;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        RefundOrder { admission, rules, refunds: RefundWriter::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.secret_key(call).await?;
        let negative = self.rules.of(admitted.catalog).await?.rules.negative_balances();

        let faults = Faults::default();
        let refund = call.parse(&faults, |body| Refund::parse(body, call.now))?;
        let refund = faults.none_or(refund)?;

        let new = NewRefund { refund: &refund, negative, now: call.now, erasure: admitted.erasure };
        let mode = mode(call);
        let response = |points: u64, amount: &Decimal<'_>| body(&refund, points, amount);
        let (response, is_new) = match self.refunds.refund(mode, new, call.deadline, response).await? {
            RefundRecorded::New(response) => (response, true),
            RefundRecorded::Replay(response) => (response, false),
            RefundRecorded::IdReused => {
                return Err(Error::IdReused("The refundTransactionId was used with another refund").into());
            }
            RefundRecorded::NoSuchOrder => return Err(Error::NoSuchOrder.into()),
            RefundRecorded::BelowZero => return Err(Error::BelowZero.into()),
            RefundRecorded::TooLarge => return Err(Error::TooLargeToStore.into()),
        };
        Ok(correction::recorded(mode, is_new, Reply::json_text(StatusCode::OK, response)))
    }
}

/// The response body, in the vendor's form. The amount is exact.
fn body(refund: &Refund, points: u64, amount: &Decimal<'_>) -> String {
    let number = ids::number_of(&format!("{}\0{}", refund.player, refund.id));
    Value::Object(vec![
        ("gameballTransactionId".into(), Value::String(number.to_string().into())),
        ("refundTransactionId".into(), Value::String((&*refund.id).into())),
        ("refundAmount".into(), Value::Number(amount.clone())),
        ("refundEquivalentPoints".into(), json::whole_number(points)),
    ])
    .to_string()
}
