// Written by scripts/generate-types.ts from native/launcher/krun/status.schema.json; do not edit.

/**
 * One line that a3s-box-krun writes to its status descriptor. `entering` comes just before libkrun makes the machine, and `running` when it stands (Linux alone); any other step says why there is none, and is the last line.
 */
export interface KrunStatus {
  /**
   * `arguments`: of the launcher. `identity`: it runs as root. `document`: refused. `library`: libkrun cannot be loaded. `symbol`: libkrun lacks a function. `feature`: libkrun was built without one. `descriptors`: cannot be closed. `call`: a function of libkrun failed. `entering`: libkrun is about to make the machine. `running`: it stands, and its processors have begun (Linux).
   */
  step:
    | 'arguments'
    | 'identity'
    | 'document'
    | 'library'
    | 'symbol'
    | 'feature'
    | 'descriptors'
    | 'call'
    | 'entering'
    | 'running';
  /**
   * `document`: path of the member (JSON Pointer, empty for the whole). `library`: its path. `symbol`, `call`: the function's name. `feature`: `BLK` or `NET`. Else empty, or what the message is about.
   */
  subject: string;
  /**
   * Of the system or of libkrun, positive; 0 where there is none.
   */
  errno: number;
  message: string;
}
