export { WHPX_CAPABILITIES, whpxSystem, type WindowsQuestions } from './whpx-system.js';
