/**
 * A library's names, after `await import(…)`: bundled, those of a CommonJS library are only found under `default`; unbundled, in both places.
 */
export function named<T extends object>(module: T): T {
  return (module as { readonly default?: T }).default ?? module;
}
