import { defineConfig } from "vitest/config";

/** `npm test` = unit, contract, model, quick end-to-end. The long ones, those with real servers and those in a browser are projects of their own. */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: "quick",
          include: ["**/*.test.ts"],
          exclude: ["**/node_modules/**", "dist/**", "**/*.long.test.ts", "test/integration/**", "test/browser/**"],
        },
      },
      {
        extends: true,
        test: { name: "long", include: ["**/*.long.test.ts"], testTimeout: 1_200_000 },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
