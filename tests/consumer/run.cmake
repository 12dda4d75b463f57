# Installs the build in LIBSYNC_BUILD_DIR below WORK_DIR, then configures, builds and runs the consumer in SOURCE_DIR.
file(REMOVE_RECURSE ${WORK_DIR}/prefix ${WORK_DIR}/build)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${LIBSYNC_BUILD_DIR} --component libsync --prefix ${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${WORK_DIR}/build -G ${GENERATOR} -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_PREFIX_PATH=${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer)
