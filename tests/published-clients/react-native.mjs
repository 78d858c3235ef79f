// The network calls of the vendor's package for React Native: `react-native.mjs URL PLAYER EVENTS`.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../target/tools/published-clients/", import.meta.url));
const [url, player, events] = process.argv.slice(2);

const { outputFiles } = require("esbuild-wasm").buildSync({
  entryPoints: [require.resolve("react-native-gameball")],
  bundle: true,
  packages: "external",
  format: "cjs",
  loader: { ".js": "jsx", ".png": "empty" },
  write: false,
});
// Nothing is drawn, so that one object can stand for everything of the modules that draw.
const anything = new Proxy(function () {}, {
  get: (_, name) => (name === Symbol.toPrimitive ? () => 0 : anything),
  apply: () => anything,
  getPrototypeOf: () => anything,
});
const client = {};
const source = outputFiles[0].text.replaceAll("https://api.gameball.co", url);
new Function("require", "module", source)((name) => (name === "axios" ? require(name) : anything), client);
const { GameballSdk, GameballWidget } = client.exports;

async function expect(what, wanted, answer, part = (data) => data) {
  const { status, data } = await answer.catch(({ response }) => response);
  process.stdout.write([what, JSON.stringify(wanted), JSON.stringify([status, part(data)])].join("\t") + "\n");
}

const isId = ({ gameballId }) => Number.isSafeInteger(gameballId) && gameballId > 0;

// `init` asks for the widget's colours, which are not served, and logs that it has none.
console.log = () => {};
GameballWidget.init("demo-api-key", "en");

const user = { playerUniqueId: player, playerAttributes: { displayName: "Jon Snow", custom: { isMarried: false } } };
await expect("registerUser", [200, true], GameballSdk.registerUser(user), isId);
for (const again of ["", ", again"]) {
  await expect(`sendEvent${again}`, [200, {}], GameballSdk.sendEvent(JSON.parse(events)));
}
const referral = { ...user, playerCode: "CODE11" };
await expect("addReferral, not served", [404, { message: "Not Found" }], GameballSdk.addReferral(referral));

GameballWidget.init("unknown", "en");
await expect("sendEvent, unknown key", [401, 1000], GameballSdk.sendEvent(JSON.parse(events)), ({ code }) => code);
