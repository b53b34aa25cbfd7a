/** Some servers and proxies answer a refusal with the very token they were sent; what they say goes into logs and dead letters. */

/** Shorter ones are no secrets, and would make a riddle of every sentence. */
const SHORTEST_SECRET = 4;

export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let safe = text;
  for (const secret of secrets) {
    if (secret.length >= SHORTEST_SECRET) safe = safe.replaceAll(secret, "[secret]");
  }
  return safe;
}
