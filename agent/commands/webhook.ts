/** Alerts to a chat: one small POST each. The webhook's address is a secret, as whoever knows it can write there. */
import { hostname } from "node:os";
import { HttpClient } from "../../outputs/shared/http.ts";
import { withoutSecrets } from "../../outputs/shared/secrets.ts";
import { systemClock } from "../api/clock.ts";
import { messageOf } from "./context.ts";

/** For one alert, and for all of them: who runs this waits for the verdict. */
const ONE_MS = 10_000;
const ALL_MS = 60_000;
const AT_ONCE = 4;

export interface Alerts {
  readonly failed: number;
  /** Of the first that failed; without anything of the address. */
  readonly reason: string;
}

/** Why nothing can be posted there; undefined where it can be tried. Says nothing of the address. */
export function webhookProblem(address: string): string | undefined {
  const url = URL.parse(address);
  return url !== null && /^https?:$/.test(url.protocol) ? undefined : "the webhook is no http or https URL";
}

export async function alertAll(address: string, files: readonly string[]): Promise<Alerts> {
  const url = new URL(address);
  const secrets = [address, url.href, url.pathname + url.search, url.pathname, url.host, url.hostname, url.password];
  const client = new HttpClient({ urls: [url.href], clock: systemClock, secrets: () => secrets });
  const all = AbortSignal.timeout(ALL_MS);
  const waiting = [...files];
  const reasons: string[] = [];
  const send = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const problem = await post(client, url, file, all);
      if (problem !== undefined) reasons.push(withoutSecrets(problem, secrets));
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, send));
  } finally {
    await client.close();
  }
  return { failed: reasons.length, reason: reasons[0] ?? "" };
}

async function post(client: HttpClient, url: URL, file: string, all: AbortSignal): Promise<string | undefined> {
  const signal = AbortSignal.any([all, AbortSignal.timeout(ONE_MS)]);
  try {
    const { status } = await client.request(
      {
        method: "POST",
        path: "",
        headers: { "content-type": "application/json", ...credentials(url) },
        body: JSON.stringify({ text: `ALERT: Audit log tamper detected on ${hostname()}: ${file}` }),
      },
      signal,
    );
    return status >= 200 && status < 300 ? undefined : `HTTP ${status}`;
  } catch (error) {
    return signal.aborted ? "no answer in time" : messageOf(error);
  }
}

/** `https://user:password@host/`. */
function credentials({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}
