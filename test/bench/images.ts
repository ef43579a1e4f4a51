export { run } from './images/ingest.ts';
