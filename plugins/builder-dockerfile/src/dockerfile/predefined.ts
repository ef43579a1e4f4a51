/** Set for every build, from its platforms; a stage that wants one names it in an ARG. */
export const PLATFORM_ARGUMENTS: readonly string[] = ['BUILD', 'TARGET'].flatMap((of) =>
  ['PLATFORM', 'OS', 'ARCH', 'VARIANT'].map((what) => `${of}${what}`),
);

/** May be given to every build, without an ARG, and leave no trace in the image or the cache. */
export const PROXY_ARGUMENTS: readonly string[] = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'FTP_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
].flatMap((name) => [name, name.toLowerCase()]);
