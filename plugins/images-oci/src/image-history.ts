import type { ImageStep } from '@a3s-box/core';
import { isObject, type JsonObject } from './image-config.js';

/** Steps that are told of at most. */
const MOST_STEPS = 4096;

/** A step as a config has it. */
export interface RecordedStep extends Omit<ImageStep, 'sizeBytes'> {
  /** It made no layer. */
  readonly isEmpty: boolean;
}

/** The history of an image's config. What has another form than it should is left out: nothing depends on it. */
export function parseHistory({ history }: JsonObject): RecordedStep[] {
  if (!Array.isArray(history)) return [];
  return history.slice(0, MOST_STEPS).map((step: unknown) => {
    const { created, created_by: createdBy, comment, empty_layer: empty } = isObject(step) ? step : {};
    return {
      ...(typeof created === 'string' && { created }),
      ...(typeof createdBy === 'string' && { createdBy }),
      ...(typeof comment === 'string' && { comment }),
      isEmpty: empty === true,
    };
  });
}
