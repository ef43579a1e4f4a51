import { rm } from 'node:fs/promises';
import type { EndpointRecord, NetworkAttachment, NetworkEndpoint, ProcessIdentity, PublishedPort } from '@a3s-box/core';
import { GUEST_NETWORK } from './addresses.js';
import type { GatewayProcess } from './gateway-process.js';

/** Version of {@link EndpointDetails}. */
export const RECORD_VERSION = 1;

/** The record's own part. */
export interface EndpointDetails {
  readonly gateway: ProcessIdentity;
  readonly attachment: NetworkAttachment;
  readonly ports: readonly PublishedPort[];
}

/** A box's end of the network: its gateway process. */
export class UserEndpoint implements NetworkEndpoint {
  readonly guest = GUEST_NETWORK;
  readonly attachment: NetworkAttachment;
  readonly ports: readonly PublishedPort[];
  readonly failed: Promise<string>;
  #detaching: Promise<void> | undefined;

  constructor(
    readonly record: EndpointRecord,
    private readonly gateway: GatewayProcess,
  ) {
    const details = record.details as unknown as EndpointDetails;
    this.attachment = details.attachment;
    this.ports = details.ports;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.failed = promise;
    void gateway.gone.then((how) => {
      if (this.#detaching === undefined) resolve(`the network gateway of box ${record.boxId} ended (${how})`);
    });
  }

  detach(): Promise<void> {
    this.#detaching ??= this.#detach();
    return this.#detaching;
  }

  close(): Promise<void> {
    this.gateway.release();
    return Promise.resolve();
  }

  async #detach(): Promise<void> {
    await this.gateway.kill();
    await rm(this.attachment.socket, { force: true });
  }
}
