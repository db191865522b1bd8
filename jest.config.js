export default {
  testEnvironment: "node",
  roots: ["<rootDir>/src", "<rootDir>/test"],
  extensionsToTreatAsEsm: [".ts"],
  transform: { "^.+\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript", importAttributes: true }, target: "es2024", experimental: { keepImportAttributes: true } }, module: { type: "es6" } }] },
  moduleNameMapper: { "^(\\.{1,2}/(?!.*dist/).*)\\.js$": "$1" },
  testPathIgnorePatterns: ["/node_modules/", ...(process.env.FAULTS ? [] : ["/test/faults/"])],
  testTimeout: 120000,
  coverageProvider: "v8",
};
