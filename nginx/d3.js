// What charts use of D3, for esbuild: see PAGE_LIBS in Makefile.am.
export { bisector, extent, max, min } from "d3-array";
export { axisBottom, axisLeft } from "d3-axis";
export { scaleBand, scaleLinear, scaleTime } from "d3-scale";
export { select } from "d3-selection";
export { area, curveMonotoneX, line } from "d3-shape";
export { timeFormat } from "d3-time-format";
