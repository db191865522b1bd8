export default {
  testEnvironment: "node",
  roots: ["<rootDir>/src", "<rootDir>/test"],
  extensionsToTreatAsEsm: [".ts"],
  transform: { "^.+\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript", importAttributes: true }, target: "es2024", experimental: { keepImportAttributes: true } }, module: { type: "es6" } }] },
  moduleNameMapper: { "^(\\.{1,2}/(?!.*dist/).*)\\.js$": "$1" },
  testTimeout: 120000,
  coverageProvider: "v8",
};
