# threatflow in a container: the same image serves as api, worker and command line.
FROM node:24-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make libpcap-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json tsconfig.json ./
RUN npm install --no-audit --no-fund
COPY native native
COPY src src
COPY ui ui
RUN cmake -S native -B build/native -DCMAKE_BUILD_TYPE=Release -DNODE_INCLUDE=/usr/local/include/node -DNAPI_INCLUDE=/src/node_modules/node-addon-api \
 && cmake --build build/native -j"$(nproc)" --target threatflow \
 && node_modules/.bin/tsc -p tsconfig.json && node_modules/.bin/tsc -p ui/tsconfig.json && npm prune --omit=dev

FROM node:24-bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libpcap0.8 tini && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/threatflow threatflow
WORKDIR /app
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY --from=build /src/build/native/threatflow.node build/native/threatflow.node
COPY package.json ./
COPY bin bin
COPY ui ui
ENV THREATFLOW_DATA=/var/lib/threatflow
VOLUME /var/lib/threatflow
USER threatflow
ENTRYPOINT ["tini", "--", "/app/bin/threatflow"]
CMD ["--help"]
