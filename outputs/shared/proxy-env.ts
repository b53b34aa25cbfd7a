/** The proxies that the environment names, with the scheme that curl and others let people leave out. */
export function proxyEnv(
  env: NodeJS.ProcessEnv = process.env,
): Record<"HTTP_PROXY" | "HTTPS_PROXY" | "NO_PROXY", string> {
  const named = (name: string) => env[name.toLowerCase()] ?? env[name] ?? "";
  const address = (name: string) => {
    const text = named(name).trim();
    return text === "" || text.includes("://") ? text : `http://${text}`;
  };
  return { HTTP_PROXY: address("HTTP_PROXY"), HTTPS_PROXY: address("HTTPS_PROXY"), NO_PROXY: named("NO_PROXY") };
}
