//! `GET /client/users/{correlation_id}/activities/{activity_id}/explanation`: explains an activity's award, offer by
//! offer, with the catalog that evaluated it.

use lambda_http::http::StatusCode;
use punchcard_http::{Call, Error, Reply, Route, route};
use punchcard_models::{
    access::Scope,
    ids::{ActivityId, CorrelationId},
    json::{Value, whole_number},
};
use punchcard_runtime::{Admission, Failure, Handler};
use punchcard_store::{ActivityReader, HistoryReader, Store};

/// Explains activities.
#[derive(Debug)]
pub struct ExplainActivity {
    admission: Admission,
    activities: ActivityReader,
    history: HistoryReader,
}

impl Handler for ExplainActivity {
    const ROUTE: &'static Route = &route::EXPLAIN_ACTIVITY;

    async fn open(store: &Store) -> Self {
        let admission = Admission::open(store).await;
        ExplainActivity { admission, activities: ActivityReader::new(store), history: HistoryReader::new(store) }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.admission.bearer(call, Scope::Activities).await?;

        let correlation_id = call.path_id("correlation_id", |id| id.parse::<CorrelationId>().ok())?;
        let id = call.path_id("activity_id", |id| id.parse::<ActivityId>().ok())?;
        let found = self.activities.get(&id, &correlation_id).await?;
        let stored = found.ok_or(Error::NotFound("Activity not found"))?;

        let evaluation = stored.evaluation()?;
        // An activity of version 0.1.0 does not say which catalog evaluated it.
        let (mut version, mut offers) = (Value::Null, Vec::new());
        if let Some(evaluation) = &evaluation {
            let catalog = evaluation.catalog(&self.history).await?;
            let explanations = evaluation.explanations(&catalog).into_iter().flatten();
            version = whole_number(evaluation.basis.catalog_version);
            offers = explanations.map(|explanation| explanation.to_json().into_owned()).collect();
        }
        let body = Value::Object(vec![
            ("activityId".into(), Value::String(stored.activity_id.as_str().into())),
            ("catalogVersion".into(), version),
            ("offers".into(), Value::Array(offers)),
        ]);
        Ok(Reply::json_text(StatusCode::OK, body.to_string()))
    }
}
