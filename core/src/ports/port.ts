/**
 * A port: a named, versioned contract that plugins provide and hosts use.
 *
 * @typeParam T the interface that a provider implements
 */
export interface Port<T> {
  /** For example `a3s-box.hypervisor.v1`; the last part is the contract's major version. */
  readonly id: string;
  /** Carries `T` for the type checker; has no value at run time. */
  readonly contract?: (service: T) => void;
}

const PORT_ID = /^[a-z0-9-]+(\.[a-z0-9-]+)*\.v[1-9][0-9]*$/;

/**
 * Declares a port.
 *
 * @param id lower-case dotted name that ends in the contract's major version, such as `a3s-box.hypervisor.v1`
 * @throws TypeError when the id has another form
 */
export function definePort<T>(id: string): Port<T> {
  if (!PORT_ID.test(id)) {
    // oxlint-disable-next-line a3s-box/no-plain-error -- a mistake of the programmer; ports import no errors
    throw new TypeError(`port id "${id}" is not of the form name.of.port.v1`);
  }
  return Object.freeze({ id });
}
