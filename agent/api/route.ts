/**
 * What the queue sorts blocks by: their tag and, where they are for one output alone, its alias. It stands where a block's tag stood before
 * there were such blocks.
 */
import { tagMatcher } from "./config.ts";

/** In no alias, and refused in a configured tag. */
const BETWEEN = "\0";

export function routeOf({ tag, only }: { readonly tag: string; readonly only: string | undefined }): string {
  return only === undefined ? tag : `${tag}${BETWEEN}${only}`;
}

export function ofRoute(route: string): { readonly tag: string; readonly only: string | undefined } {
  const at = route.indexOf(BETWEEN);
  return at < 0 ? { tag: route, only: undefined } : { tag: route.slice(0, at), only: route.slice(at + 1) };
}

/** Whether blocks of a route are for an output: its own, or for all and matched by its patterns. */
export function routeMatcher(patterns: readonly string[], alias: string): (route: string) => boolean {
  const matches = tagMatcher(patterns);
  return (route) => {
    const { tag, only } = ofRoute(route);
    return only === undefined ? matches(tag) : only === alias;
  };
}
