import { definePlugin, ImageStorePort } from '@a3s-box/core';
import { OciImageStore } from './oci-image-store.js';

/** As settings.schema.json says. */
interface Settings {
  readonly maxLayerBytes?: number;
  readonly maxLayerEntries?: number;
  readonly maxImageBytes?: number;
  readonly maxStoreBytes?: number;
  readonly policy?: object;
}

export default definePlugin({
  provides: { imageStore: { port: ImageStorePort, name: 'oci' } },
  requires: {},
  async activate({ logger, stateDirectory, settings }) {
    const { maxLayerBytes, maxLayerEntries, maxImageBytes, maxStoreBytes, policy } = settings as Settings;
    const store = await OciImageStore.open({
      directory: stateDirectory,
      logger,
      limits: {
        ...(maxLayerBytes === undefined ? {} : { maxBytes: maxLayerBytes }),
        ...(maxLayerEntries === undefined ? {} : { maxEntries: maxLayerEntries }),
      },
      ...(maxImageBytes !== undefined && { maxImageBytes }),
      ...(maxStoreBytes !== undefined && { maxStoreBytes }),
      ...(policy !== undefined && { policy }),
    });
    return {
      services: { imageStore: store },
      dispose: () => store[Symbol.asyncDispose](),
    };
  },
});
