// A certificate for 127.0.0.1 and localhost, signed by its own key (RFC 5280). Node cannot write
// certificates. So this file does, and the tests need no tool and no file that expires.

import { Buffer } from "node:buffer";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

const OIDS = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  subjectAltName: "551d11",
};

/** DER: a tag, the length of what follows, and what follows. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const oid = (name: keyof typeof OIDS) => der(0x06, Buffer.from(OIDS[name], "hex"));
const integer = (...bytes: number[]) => der(0x02, Buffer.from(bytes));
const utcTime = (time: Date) =>
  der(0x17, Buffer.from(`${time.toISOString().replace(/\D/g, "").slice(2, 14)}Z`));

/** A new key and its certificate, both in PEM. */
export function selfSigned(): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
  });
  const algorithm = sequence(oid("ecdsaWithSha256"));
  const name = sequence(
    der(0x31, sequence(oid("commonName"), der(0x0c, Buffer.from("localhost")))),
  );
  const day = 24 * 60 * 60 * 1000;
  const validity = [Date.now() - day, Date.now() + day].map((time) => utcTime(new Date(time)));
  const hosts = sequence(
    der(0x82, Buffer.from("localhost")),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  );
  const extensions = sequence(sequence(oid("subjectAltName"), der(0x04, hosts)));
  const certificate = sequence(
    der(0xa0, integer(2)), // version 3
    integer(1, ...randomBytes(8)),
    algorithm,
    name, // who signed it
    sequence(...validity),
    name, // whose it is
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, extensions),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", certificate, privateKey));
  const base64 = sequence(certificate, algorithm, signature).toString("base64");
  const lines = base64.replace(/.{64}/g, "$&\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
