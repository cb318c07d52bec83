// Preact and htm, tied together once.
import htm from 'htm';
import { h } from 'preact';

export const html = htm.bind(h);
