import { rm } from 'node:fs/promises';
import type {
  EndpointRecord,
  NetworkAttachment,
  NetworkEndpoint,
  Operation,
  ProcessIdentity,
  PublishedPort,
  Traffic,
} from '@a3s-box/core';
import { GUEST_NETWORK } from './addresses.js';
import type { GatewayProcess } from './gateway-process.js';
import { askTraffic } from './traffic-question.js';

/** Version of {@link EndpointDetails}. */
export const RECORD_VERSION = 1;

/** The record's own part. */
export interface EndpointDetails {
  readonly gateway: ProcessIdentity;
  readonly attachment: NetworkAttachment;
  readonly ports: readonly PublishedPort[];
  /** Absolute path of the socket that tells what went over the link. Absent for a gateway of version 0.1, which has none. */
  readonly counters?: string;
}

/** A box's end of the network: its gateway process. */
export class UserEndpoint implements NetworkEndpoint {
  readonly guest = GUEST_NETWORK;
  readonly attachment: NetworkAttachment;
  readonly ports: readonly PublishedPort[];
  readonly failed: Promise<string>;
  readonly #counters: string | undefined;
  #detaching: Promise<void> | undefined;

  constructor(
    readonly record: EndpointRecord,
    private readonly gateway: GatewayProcess,
  ) {
    const details = record.details as unknown as EndpointDetails;
    this.attachment = details.attachment;
    this.ports = details.ports;
    this.#counters = details.counters;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.failed = promise;
    void gateway.gone.then((how) => {
      if (this.#detaching === undefined) resolve(`the network gateway of box ${record.boxId} ended (${how})`);
    });
  }

  async traffic({ signal }: Operation): Promise<Traffic | undefined> {
    return this.#counters === undefined ? undefined : askTraffic(this.#counters, signal);
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
    const sockets = [this.attachment.socket, ...(this.#counters === undefined ? [] : [this.#counters])];
    await Promise.all(sockets.map((socket) => rm(socket, { force: true })));
  }
}
