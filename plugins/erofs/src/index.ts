export { writeLayer, type ArchiveRecorder, type WriteLayerOptions, type WrittenLayer } from './write-layer.js';
export { mergeLayers, type MergedDevice, type MergedLayers } from './merge-layers.js';
export { LayeredFiles } from './layered-files.js';
export { flatDescriptor, type FlatExtent } from './vmdk.js';
