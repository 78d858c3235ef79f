"""What schemathesis can't know of the demo: who may call, and what its catalog decides."""

import itertools
import re
from datetime import datetime, timezone

import requests
import schemathesis
from hypothesis import strategies as st

CREDENTIALS = {"clientId": "demo-client", "secret": "demo-secret"}

# Failures that no schema can predict: how the parts of a request go together, and what is stored.
BEYOND_SCHEMAS = [
    "ActivityID already exists",
    "The Idempotency-Key was used with another payload",
    "The orderId was used with another order",
    "The refundTransactionId was used with another refund",
    "The activity is already reversed, by ",
    "is also the id of /clientEvents/",
    "extendedData must not have a name more than once",
    "appears more than once, apart from surrounding blanks",
    # A cursor is opaque.
    "next must be the one that an earlier page had",
    # A number, but of more decimals than an amount has.
    "with at most 9 decimals",
    # An integer, but of more digits than an id has.
    "must be a section's name or integer id",
]


@schemathesis.hook
def before_load_schema(_context, description):
    """Narrows what any catalog allows to what the demo's does, and secrets to a good and a bad one."""
    schemas = description["components"]["schemas"]
    schemas["Action"]["enum"] = ["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN"]
    schemas["BusinessUnit"]["enum"] = ["XYZ", "ABC", ""]
    schemas["AdjustmentRequest"]["properties"]["businessUnit"]["enum"] = ["XYZ", "ABC"]
    schemas["Activity"]["properties"]["loyaltyId"] = {"type": "null"}
    schemas["OwnSection"] = {"const": "VIPLounge"}
    for name in "Activity", "OpenSession":
        schemas[name]["required"].append("channel")
    schemas["Credentials"]["properties"]["clientId"]["enum"] = ["demo-client", "another"]
    schemas["Credentials"]["properties"]["secret"]["enum"] = ["demo-secret", "another"]
    schemas["TokenRequest"]["properties"]["client_id"]["enum"] = ["demo-client", "another"]
    schemas["TokenRequest"]["properties"]["client_secret"]["enum"] = ["demo-secret", "another"]


# Nothing that happened is in the future.
past = st.datetimes(datetime(1, 1, 2), datetime(2026, 1, 1), timezones=st.just(timezone.utc))
schemathesis.openapi.format("date-time", past.map(datetime.isoformat))


sent = itertools.count()


@schemathesis.hook("map_path_parameters").apply_to(operation_id="send-activity")
def use_no_id_more_than_twice(_context, parameters):
    """An activity's id is used up by it; made-up ones soon all would be."""
    # It is not there yet where the others are an example.
    if re.fullmatch("[A-Za-z0-9._:-]{1,100}", parameters.get("activity_id", "")):
        parameters["activity_id"] += f".{next(sent) // 2}"
    return parameters


@schemathesis.check
def accepts_what_is_valid(_context, response, case):
    """The same as positive_data_acceptance, but for what no schema can say."""
    refused = case.meta.generation.mode.is_positive and response.status_code in (400, 413, 415, 422)
    if refused and not any(known in response.text for known in BEYOND_SCHEMAS):
        raise AssertionError(f"Valid as described, and refused: {response.text}")


def customer(case, _context):
    return case.headers.get("x-source-customer-id", "customer-1")


@schemathesis.auth(cache_by_key=customer).apply_to(operation_id="send-client-event")
class SessionToken:
    def get(self, case, context):
        headers = {"x-source-customer-id": customer(case, context)}
        url = f"{case.operation.base_url}/v2/session/startSession"
        return requests.post(url, headers=headers, json=CREDENTIALS).json().get("sessionToken")

    def set(self, case, token, _context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.auth().apply_to(tag="Activities").skip_for(operation_id="issue-token")
class AccessToken:
    def get(self, case, _context):
        form = {"grant_type": "client_credentials"}
        answer = requests.post(f"{case.operation.base_url}/oauth2/token", data=form, auth=tuple(CREDENTIALS.values()))
        return answer.json()["access_token"]

    def set(self, case, token, _context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.auth().apply_to(tag="Player events").skip_for(operation_id="refund-order")
class ApiKey:
    def get(self, _case, _context):
        return "demo-api-key"

    def set(self, case, key, _context):
        case.headers["APIKey"] = key


@schemathesis.auth().apply_to(operation_id="refund-order")
class SecretKey(ApiKey):
    def set(self, case, key, context):
        super().set(case, key, context)
        case.headers["SecretKey"] = "demo-secret-key"
