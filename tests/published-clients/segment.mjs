// The presets of Segment's connector, in Segment's own runtime: `segment.mjs URL PLAYER EVENTS`.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../target/tools/published-clients/", import.meta.url));
const { Destination } = require("@segment/actions-core");
const connector = "@segment/action-destinations/dist/destinations/gameball";
const { default: definition } = require(connector);

const [url, player, events] = process.argv.slice(2);
require(`${connector}/util`).endpoints.baseApiUrl = url;
const destination = new Destination(definition);

// The connector takes any status for success, so the responses are checked.
async function expect(what, event, wanted, part = (content) => content, apiKey = "demo-api-key") {
  destination.responses = [];
  const settings = { apiKey, secretKey: "demo-secret-key", subscriptions: definition.presets };
  const common = { userId: player, timestamp: "2024-10-16T08:13:29.158Z", context: { locale: "en-US" } };
  await destination.onEvent({ ...common, ...event }, settings);
  const got = destination.responses.map(({ status, content }) => [status, part(JSON.parse(content))]);
  console.log([what, JSON.stringify([wanted]), JSON.stringify(got)].join("\t"));
}

const code = ({ code }) => code;
const isId = ({ gameballId }) => Number.isSafeInteger(gameballId) && gameballId > 0;

const traits = { email: "jon@example.com", first_name: "Jon", last_name: "Snow", birthday: "1980-09-19", tags: "VIP" };
await expect("Create Or Update Players", { type: "identify", traits }, [200, true], isId);

for (const again of ["", ", again"]) {
  for (const [event, properties] of Object.entries(JSON.parse(events))) {
    await expect(`Track Events, ${event}${again}`, { type: "track", event, properties }, [200, {}]);
  }
}

const product = { product_id: "sku-1", title: "Lamp", quantity: 2, price: 50.25, taxes: 20, discount: 0 };
const order = { order_id: "order-1", total: 120.5, subtotal: 100.5, tax: 20, products: [product] };
const ordered = (properties) => ({ type: "track", event: "Order Completed", properties });
const ids = ({ playerUniqueId, orderId, status }) => [playerUniqueId, orderId, status];
const placed = [200, [player, "order-1", "completed"]];
await expect("Track Orders", ordered(order), placed, ids);
await expect("Track Orders, again", ordered(order), placed, ids);
await expect("Track Orders, other content", ordered({ ...order, subtotal: 99 }), [422, 2002], code);
await expect("Track Orders, unknown key", ordered(order), [401, 1000], code, "unknown");
