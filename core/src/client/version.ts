/** Of this package, semantic version. A constant, because bundles have no package.json beside them. */
export const CLIENT_VERSION = '0.1.0';
