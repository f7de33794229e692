// The WebSocket of Node.js (undici): CONNECT, a large PUBLISH that comes back,
// DISCONNECT, Close 1000.
const c = new WebSocket(process.argv[2], ["mqtt"]);
c.binaryType = "arraybuffer";
const connect = Buffer.from("100d00044d5154540402003c000161", "hex");
// Its Remaining Length c3 cf 24 is 600003.
const whole = Buffer.concat([Buffer.from("30c3cf24000161", "hex"), Buffer.alloc(600000, 7)]);
let got = Buffer.alloc(0);
c.onopen = () => { c.send(connect); c.send(whole.subarray(0, 100)); c.send(whole.subarray(100)); };
c.onmessage = (m) => {
	got = Buffer.concat([got, Buffer.from(m.data)]);
	if (got.length === 4 + whole.length) c.send(Buffer.from("e000", "hex"));
};
c.onerror = (e) => { console.log("error", e.message); process.exit(1); };
c.onclose = (e) => {
	const want = Buffer.concat([Buffer.from("20020000", "hex"), whole]);
	if (e.code !== 1000 || c.protocol !== "mqtt" || c.extensions !== "" || !got.equals(want)) {
		console.log("bad", e.code, c.protocol, c.extensions, got.length, want.length);
		process.exit(1);
	}
	console.log("good");
};
