import { expect, it } from "vitest";
import { tlsReason } from "./tls.ts";

it("says of OpenSSL's lines the reason alone, and leaves other messages as they are", () => {
  const line = (reason: string, more = "") =>
    `write EPROTO 40D39C6A297F0000:error:0A00010B:SSL routines:tls_validate_record_header:${reason}:../deps/openssl/ssl/x.c:78:${more}`;
  expect(tlsReason(line("wrong version number"))).toBe(
    "TLS: wrong version number (what answers at this port does not speak TLS)",
  );
  expect(tlsReason(line("tlsv1 alert unknown ca", "SSL alert number 48"))).toBe("TLS: tlsv1 alert unknown ca");
  expect(tlsReason("connect ECONNREFUSED 127.0.0.1:9200")).toBe("connect ECONNREFUSED 127.0.0.1:9200");
});
