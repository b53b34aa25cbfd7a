/** The token: taken out of the address at once, and kept for this tab alone. */
const KEY = "audit-agent.token";

/** `audit-agent open` hands it over in the fragment, which browsers send to nobody; there it must not stay, for the history's sake. */
export function takeToken(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    history.replaceState(null, "", location.pathname + location.search);
    keepToken(given);
  }
  return sessionStorage.getItem(KEY) || undefined;
}

export function keepToken(token: string | undefined): void {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}
