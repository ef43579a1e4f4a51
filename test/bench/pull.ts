export { run } from './images/pull.ts';
