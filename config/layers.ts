import type * as core from "zod/v4/core";

/** What an optional, default or transforming layer is around; undefined where there is no such layer. */
export function within(schema: core.$ZodTypes): core.$ZodTypes | undefined {
  const def = schema._zod.def;
  switch (def.type) {
    case "optional":
    case "nonoptional":
    case "nullable":
    case "default":
    case "prefault":
    case "catch":
    case "readonly":
      return def.innerType as core.$ZodTypes;
    case "pipe":
      return def.in as core.$ZodTypes;
    case "lazy":
      return def.getter() as core.$ZodTypes;
    default:
      return undefined;
  }
}
