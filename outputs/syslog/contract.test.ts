import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ContractSettings, type Harness, outputContract } from "../../test/contract/output-contract.ts";
import { selfSigned } from "../../test/fakes/certificate.ts";
import { FakeSyslog, type FakeSyslogOptions } from "../../test/fakes/syslog.ts";
import definition from "./index.ts";

/** What follows the header: its fields have no spaces, and the structured data ends in `] `. */
const bodyOf = (message: Buffer) => message.subarray(message.indexOf("] ") + 2);

function harness(server: FakeSyslogOptions, options: Record<string, unknown> = {}): () => Promise<Harness> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "syslog-output-"));
    const { cert, key } = selfSigned("localhost");
    const ca = join(folder, "ca.pem");
    writeFileSync(ca, cert);
    const tls = server.protocol === "tls";
    const fake = await FakeSyslog.start({ ...server, ...(tls && { tls: { cert, key } }) });
    return {
      options: {
        host: "127.0.0.1",
        port: fake.port,
        protocol: server.protocol,
        ...(tls && { tls: { ca } }),
        ...options,
      },
      received: async () => fake.messages.map(bodyOf),
      fail: async (mode) => {
        if (mode === "unavailable" || mode === "hang" || mode === "drop") await fake.fail(mode);
      },
      heal: () => fake.heal(),
      restart: () => fake.restart(),
      async stop() {
        await fake.stop();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  };
}

const skip: ContractSettings["skip"] = {
  throttled: "syslog has no such answer",
  refused: "syslog refuses no single message",
  answerEarly: "syslog answers nothing",
};
const udp: ContractSettings["skip"] = {
  ...skip,
  unavailable: "best effort: nobody says that a datagram was lost",
  hang: "a datagram waits for nobody",
  drop: "there is no connection",
  restart: "best effort: what is sent meanwhile is lost",
  "special characters and long records": "longer messages than a datagram are cut; see message.test.ts",
};

outputContract(definition, harness({ protocol: "udp" }), { skip: udp });
// What the server's system has acknowledged counts; whether the server reads it, TCP does not tell.
const stream = {
  ...skip,
  hang: "a server that does not read looks like one that does, as long as its buffers have room",
};

outputContract(definition, harness({ protocol: "tcp" }), { skip: stream });
outputContract(definition, harness({ protocol: "tcp", framing: "newline" }, { framing: "newline" }), { skip: stream });
outputContract(definition, harness({ protocol: "tls" }), { skip: stream });
outputContract(definition, harness({ protocol: "relp" }), { skip });
