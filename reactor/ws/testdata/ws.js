// The package ws: fragments with a ping in between, and its Close.
const { WebSocket } = require("ws");
const c = new WebSocket(process.argv[2], ["foo", "mqttv3.1", "mqtt"]);
const connect = Buffer.from("100d00044d5154540402003c000161", "hex");
let pong = "", got = Buffer.alloc(0);
c.on("open", () => {
	c.send(connect.subarray(0, 3), { fin: false });
	c.ping("ping");
	c.send(connect.subarray(3, 3), { fin: false });
	c.send(connect.subarray(3), { fin: true });
});
c.on("pong", (data) => { pong = data.toString(); });
c.on("message", (data) => {
	got = Buffer.concat([got, data]);
	c.close(3001, "so long");
});
c.on("error", (e) => { console.log("error", e.message); process.exit(1); });
c.on("close", (code) => {
	if (code !== 3001 || pong !== "ping" || c.protocol !== "mqttv3.1" || got.toString("hex") !== "20020000") {
		console.log("bad", code, pong, c.protocol, got.toString("hex"));
		process.exit(1);
	}
	console.log("good");
});
