/** An address and a port. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** What a stream carried. */
export interface Stream {
  readonly bytes: number;
  readonly sha256: string;
}

/** What can be asked for in a namespace: argument and result. Failures carry the system's code, for example `ECONNREFUSED`. */
export interface Operations {
  /** @returns the port */
  serveTcp: [Place, number];
  serveUdp: [Place, number];
  /** A resolver on port 53 over UDP and TCP that knows names below `test.`: see dns-server.ts. */
  serveDns: [{ readonly address: string }, number];
  /** @returns what came back */
  talkTcp: [Place & { readonly text: string }, string];
  /** @returns milliseconds of each connection */
  talkMany: [Place & { readonly count: number }, number[]];
  /** @returns how many bytes came back as they were sent */
  talkUdp: [Place & { readonly bytes: number }, number];
  /** @returns what the other side got */
  upload: [Place & { readonly bytes: number }, Stream];
  download: [Place & { readonly bytes: number }, Stream];
  resetAfter: [Place & { readonly text: string }, string];
  resolve: [{ readonly server: string; readonly name: string; readonly kind: string }, string[]];
  /** Digest of what {@link Operations.upload} and {@link Operations.download} carry. */
  sha256: [{ readonly bytes: number }, string];
}
