/** Version of this package; test/package.mjs holds it against package.json. */
export const kSdkVersion = "0.1.0";
