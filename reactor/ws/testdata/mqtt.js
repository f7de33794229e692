// MQTT.js, with MQTT 3.1.1 and 5: messages of many sizes that come back.
const mqtt = require("mqtt");
const sizes = [0, 10, 125, 126, 5000, 70000, 300000];
async function run(version) {
	const c = await mqtt.connectAsync(process.argv[2], { protocolVersion: version, reconnectPeriod: 0, connectTimeout: 5000 });
	await c.subscribeAsync("a");
	const got = [];
	const all = new Promise((done) => c.on("message", (topic, payload) => {
		got.push(payload.length);
		if (got.length === sizes.length) done();
	}));
	for (const n of sizes) await c.publishAsync("a", Buffer.alloc(n, 7));
	await all;
	await c.endAsync();
	if (got.join() !== sizes.join()) throw new Error("came back: " + got);
}
run(4).then(() => run(5)).then(() => console.log("good"), (e) => { console.log("bad", e); process.exit(1); });
