# Unity builds (ECMP_UNITY, set by the presets that build all from nothing): files compiled in groups. It takes half the
# time. Groups stand in cmake/UnityGroups.cmake. A file in no group is compiled alone, so a new file needs no entry there.
# The files of a group share their anonymous namespace: where two of them give one name there, one moves to another group.

# Files of `target` may stand in groups.
function(ecmp_unity target)
  if(ECMP_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  endif()
endfunction()

# One group: ecmp_unity_group(TARGET DIRECTORY FILES...).
function(ecmp_unity_group target directory)
  if(NOT ECMP_UNITY OR NOT TARGET ${target})
    return()
  endif()
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/${directory}/ OUTPUT_VARIABLE paths)
  foreach(path ${paths})
    if(NOT EXISTS ${path})
      message(FATAL_ERROR "cmake/UnityGroups.cmake names ${path}, which is not there")
    endif()
  endforeach()
  list(GET ARGN 0 first)
  string(MAKE_C_IDENTIFIER "${directory}_${first}" group)
  set_property(SOURCE ${paths} TARGET_DIRECTORY ${target} PROPERTY UNITY_GROUP ${group})
endfunction()
